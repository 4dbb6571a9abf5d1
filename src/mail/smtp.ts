import { createTransport } from 'nodemailer'
import { isLoopback } from '../http/loopback.ts'

const smtpTimeoutMs = 10_000

/** How a mail server is spoken to, by its URL. */
export function smtpOptions(url: string) {
  const { username, password, hostname } = new URL(url)
  return {
    url,
    // Whoever stands between could hide that the server speaks TLS, and be given the password.
    requireTLS: `${username}${password}` !== '' && !isLoopback(hostname),
    connectionTimeout: smtpTimeoutMs,
    greetingTimeout: smtpTimeoutMs,
    socketTimeout: smtpTimeoutMs,
  }
}

/**
 * Connects to a mail server as the service would, and signs in where the URL says as whom. Nothing is sent.
 * @throws Error of nodemailer, with its `code`
 */
export async function verifySmtp(url: string): Promise<void> {
  const transport = createTransport(smtpOptions(url))
  try {
    await transport.verify()
  } finally {
    transport.close()
  }
}
