import { type Logger, pino, stdSerializers } from 'pino'
import pretty from 'pino-pretty'
import { type LogOutput, openLogOutput } from './log-output.ts'

export type Log = Logger

// What must not reach a log even inside a message. Each pattern begins where a word does, or it would take the square of
// the length of a text to find nothing: JWTs, signed cookies, mailed tokens, password hashes, addresses.
const secrets: [RegExp, string][] = [
  [/(?<![\w-])eyJ[\w-]+\.[\w-]*\.?[\w-]*/g, '[jwt]'],
  [/((?:token|code|state|password|secret)["']?\s*[=:]\s*)"(?:[^"\\]|\\[^])*(?:"|\\?$)/gi, '$1"[redacted]"'],
  [/((?:token|code|state|password|secret|session_token)["']?\s*[=:]\s*["']?)[^\s"'&;,)}]+/gi, '$1[redacted]'],
  [/(reset-password\/)[^\s?/"']+/g, '$1[redacted]'],
  [/(bearer|basic)\s+[\w.~+/%=-]+/gi, '$1 [redacted]'],
  [/(?<!\w)(\w+:\/\/)[^\s/@]+@/g, '$1[redacted]@'],
  [/(?:[0-9a-f]{32}:)?(?<![0-9a-f])[0-9a-f]{128}(?![0-9a-f])/g, '[hash]'],
  [/(?<![^\s"'()<>=:,@])[^\s"'()<>=:,@]+@[\w-]+(?:\.[\w-]+)+/g, '[e-mail]'],
]

const maxMessageChars = 2_000
const maxStackChars = 8_000

// Longer than the part of a secret that no pattern finds, as what tells it is beyond the end.
const marginChars = 500

/** Text without the secrets it may hold, cut where it is longer than anybody reads: a caller may have written it. */
export function scrub(text: string, maxChars = maxMessageChars): string {
  const seenChars = maxChars + marginChars
  const seen = text.slice(0, seenChars)
  const scrubbed = secrets.reduce((rest, [pattern, replacement]) => rest.replaceAll(pattern, replacement), seen)
  // Where there is more, what is last may be the beginning of a secret.
  const end = text.length > seenChars ? Math.min(maxChars, Math.max(0, scrubbed.length - marginChars)) : maxChars
  return text.length > seenChars || scrubbed.length > end ? `${scrubbed.slice(0, end)}…` : scrubbed
}

// What a pipe takes from one of several writers without tearing it, PIPE_BUF of Linux.
const maxSharedBytes = 4_096

/** The service's logger: JSON lines on standard output, or readable ones on a terminal. */
export function createLog(level: string, destination?: NodeJS.WritableStream): Log {
  const options = optionsOf(level)
  if (destination) return pino(options, destination)
  if (process.stdout.isTTY) return pino(options, pretty({ colorize: true, singleLine: true, sync: true }))
  const output = openLogOutput()
  return tellingLosses(pino(options, output), output)
}

/**
 * The same for one of several processes that share standard output. Each line names the process, and is cut to what a pipe
 * takes at once: whole lines only are written, so that no process tears the line of another.
 */
export function createSharedLog(level: string): Log {
  const options = { ...optionsOf(level), base: { pid: process.pid } }
  if (process.stdout.isTTY) return pino(options, pretty({ colorize: true, singleLine: true, sync: true }))
  const output = openLogOutput(maxSharedBytes)
  return tellingLosses(pino(options, { write: (line) => output.write(fitting(line)) }), output)
}

function tellingLosses(log: Log, { onLoss }: LogOutput): Log {
  onLoss((lines) => log.error({ lines }, 'lines of the log were lost: they were not read, or there was no room'))
  return log
}

function optionsOf(level: string) {
  return {
    level,
    base: null as { pid: number } | null,
    serializers: { err: serializeError },
    redact: ['*.password', '*.token', '*.secret', '*.authorization', '*.cookie'],
  }
}

/** A line of JSON of at most `maxSharedBytes`: where it is longer, the texts in it are cut. */
function fitting(line: string): string {
  for (let maxChars = maxSharedBytes / 4; Buffer.byteLength(line) > maxSharedBytes && maxChars > 4; maxChars /= 2) {
    const cut = (_key: string, value: unknown) =>
      typeof value === 'string' && value.length > maxChars ? `${value.slice(0, maxChars)}…` : value
    line = `${JSON.stringify(JSON.parse(line), cut)}\n`
  }
  return line
}

// Database errors carry the row in `detail`; only the code and the constraint are of use.
function serializeError(error: Error): object {
  const { type, message, stack } = stdSerializers.err(error)
  const { code, constraint } = error as { code?: unknown; constraint?: unknown }
  return {
    type,
    message: scrub(message),
    stack: scrub(stack ?? '', maxStackChars),
    ...(typeof code === 'string' && { code }),
    ...(typeof constraint === 'string' && { constraint }),
    ...(error.cause instanceof Error && { cause: serializeError(error.cause) }),
  }
}
