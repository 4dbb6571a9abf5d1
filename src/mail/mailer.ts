import { setMaxListeners } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { createTransport } from 'nodemailer'
import retry, { AbortError } from 'p-retry'
import type { Log } from '../log.ts'
import { smtpOptions } from './smtp.ts'

/** A mail to one person. */
export interface Message {
  to: string
  subject: string
  text: string
  html: string
  /** Where a stranger can have it sent, an address is sent only so many: in all, or for each user, by id, who asks. */
  cap?: 'address' | { asker: string }
}

/** Sends mail, or says that it cannot. */
export interface Mailer {
  /** Whether a message reaches anybody: SMTP is configured, or the log is read by the person at this machine. */
  canSend: boolean
  /** Whether messages really leave, so that an address can be verified before it is trusted. */
  isReal: boolean
  /** Hands a message over; what becomes of it is logged, and never fails or slows the caller. */
  send: (message: Message) => void
  /** Waits a moment for messages under way. */
  close: () => Promise<void>
}

/** Counts a message. Returns what takes that back, or undefined for one that may not go. */
export type CountMessage = (message: Message) => Promise<(() => Promise<void>) | undefined>

interface MailerOptions {
  smtp: { url: string; from: string } | undefined
  /** Whether links may be written to the log. */
  logLinks: boolean
  /** Counts a message of which an address is sent only so many. */
  count: CountMessage
  log: Log
}

// Many servers refuse more at once from one address.
const maxConnections = 5
const attempts = 5
const firstPauseMs = 1_000
// So many mails may wait for a server that is down.
const maxPending = 1_000
// A process that drains for eight seconds must end within ten.
const closeMs = 1_000

const notCounted = () => Promise.resolve()

/** Mail over SMTP; without it, in the log where only the person at this machine reads it. */
export function createMailer({ smtp, logLinks, count, log }: MailerOptions): Mailer {
  const pending = new Set<Promise<void>>()
  const closing = new AbortController()
  // Each message that waits listens.
  setMaxListeners(maxPending, closing.signal)
  const { deliver, close } = smtp ? overSmtp(smtp) : intoLog(log)

  async function dispatch(message: Message): Promise<void> {
    const { subject } = message
    // The log annoys nobody.
    const takeBack = smtp && message.cap ? await counted(message) : notCounted
    if (!takeBack) return log.info({ subject }, 'mail was not sent: its address has had enough of these')
    try {
      await persistently(() => deliver(message), message, log, closing.signal)
    } catch (error) {
      // The database is closed next.
      if (!closing.signal.aborted)
        await takeBack().catch((err: unknown) => log.error({ err, subject }, 'mail that was not sent stays counted'))
      throw error
    }
  }

  /** Counts a message; one that cannot be counted may go, as mail is what somebody waits for. */
  function counted(message: Message): ReturnType<CountMessage> {
    return count(message).catch((err: unknown) => {
      log.error({ err, subject: message.subject }, 'mail could not be counted, and is sent all the same')
      return notCounted
    })
  }

  return {
    canSend: smtp !== undefined || logLinks,
    isReal: smtp !== undefined,
    send(message) {
      if (!smtp && !logLinks) return
      if (pending.size >= maxPending) {
        log.error({ subject: message.subject }, 'mail was not sent: too many wait already')
        return
      }
      const sending = dispatch(message)
        .catch((error: unknown) => {
          // What is ended by closing is counted there.
          if (!closing.signal.aborted) log.error({ err: error, subject: message.subject }, 'mail could not be sent')
        })
        .then(() => {
          pending.delete(sending)
        })
      pending.add(sending)
    },
    async close() {
      await Promise.race([Promise.all(pending), pause(closeMs, undefined, { ref: false })])
      closing.abort()
      close()
      if (pending.size > 0)
        log.error({ messages: pending.size }, 'mail was not sent: its server did not answer in time')
    },
  }
}

/** Tries again while that may help: a server that says no for good is believed. */
function persistently(
  deliver: () => Promise<unknown>,
  { subject }: Message,
  log: Log,
  signal: AbortSignal,
): Promise<unknown> {
  const attempt = async () => {
    try {
      await deliver()
    } catch (error) {
      // RFC 5321 section 4.2.1: 5yz is a permanent refusal.
      const isRefusal = error instanceof Error && 'responseCode' in error && Number(error.responseCode) >= 500
      throw isRefusal ? new AbortError(error) : error
    }
  }
  return retry(attempt, {
    retries: attempts - 1,
    minTimeout: firstPauseMs,
    factor: 4,
    signal,
    onFailedAttempt: ({ error, retriesLeft }) => {
      if (retriesLeft > 0 && !signal.aborted) log.warn({ err: error, subject }, 'mail could not be sent, trying again')
    },
  })
}

interface Way {
  deliver: (message: Message) => Promise<unknown>
  close: () => void
}

function overSmtp({ url, from }: { url: string; from: string }): Way {
  const transport = createTransport({
    ...smtpOptions(url),
    // Caps the connections; each takes one message, and trying again is ours.
    pool: true,
    maxConnections,
    maxMessages: 1,
    maxRequeues: 0,
    // A message is text that we wrote: it never names a file or a URL to attach.
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  return {
    // RFC 3834 section 5: programs that answer mail, as those of people on leave, do not answer this.
    deliver: ({ to, subject, text, html }) =>
      transport.sendMail({ from, to, subject, text, html, headers: { 'Auto-Submitted': 'auto-generated' } }),
    close: () => transport.close({ force: true }),
  }
}

function intoLog(log: Log): Way {
  return {
    deliver({ to, subject, text }) {
      log.info({ mail: { to, subject, text } }, 'mail (SMTP_URL is not set)')
      return Promise.resolve()
    },
    close: () => {},
  }
}
