import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'
import { afterAll } from 'vitest'
import type { Certificate } from './standins/certificates.ts'

/** What the server was given. */
export interface Mail {
  to: string[]
  content: string
  /** Whether it came encrypted. */
  isSecure: boolean
}

interface MailServerOptions {
  /** The codes with which it refuses the first messages, instead of taking them. */
  refuse?: number[]
  /** Whom it does not let sign in, by name. */
  strangers?: string[]
  /** Lets it speak TLS: from the first byte, or once it is asked to. Without it, it never does. */
  tls?: { certificate: Certificate; begins: 'at once' | 'by STARTTLS' }
  whenDone?: (stop: () => Promise<void>) => void
}

/** A mail server that keeps what it is given, from whoever gives whichever password, or none. */
export async function startMailServer({
  refuse = [],
  strangers = [],
  tls,
  whenDone = afterAll,
}: MailServerOptions = {}) {
  const mails: Mail[] = []
  const passwords: string[] = []
  const connections = { now: 0, most: 0 }
  const server = new SMTPServer({
    authOptional: true,
    allowInsecureAuth: true,
    secure: tls?.begins === 'at once',
    ...(tls ? { key: tls.certificate.key, cert: tls.certificate.cert } : { disabledCommands: ['STARTTLS'] }),
    onConnect(_session, done) {
      connections.now += 1
      connections.most = Math.max(connections.most, connections.now)
      done()
    },
    onClose() {
      connections.now -= 1
    },
    onAuth({ username, password }, _session, done) {
      passwords.push(password ?? '')
      if (strangers.includes(username ?? '')) done(new Error('not you'))
      else done(null, { user: username })
    },
    onData(stream, session, done) {
      const to = session.envelope.rcptTo.map(({ address }) => address)
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const code = refuse.shift()
        if (code !== undefined) return done(Object.assign(new Error('not now'), { responseCode: code }))
        const raw = Buffer.concat(chunks).toString()
        const content = raw.replaceAll(/=\r?\n/g, '').replaceAll('=3D', '=')
        mails.push({ to, content, isSecure: session.secure })
        done()
      })
    },
  })
  // A client that does not trust the certificate goes in the middle of the handshake.
  server.on('error', () => {})
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  whenDone(
    () =>
      new Promise<void>((resolve) => {
        server.close(resolve)
      }),
  )
  const { port } = server.server.address() as AddressInfo
  return {
    mails,
    /** What it was given to sign in with. */
    passwords,
    /** How many were open at once. */
    connections,
    port,
    url: `smtp://127.0.0.1:${port}`,
    /** Shows another certificate from now on. */
    present: ({ key, cert }: Certificate) => server.updateSecureContext({ key, cert }),
  }
}
