import { scrub } from '../log.ts'
import { verifySmtp } from '../mail/smtp.ts'
import { type Finding, findingsOf } from './finding.ts'

interface SmtpError extends NodeJS.ErrnoException {
  responseCode?: number
  response?: string
}

/** Whether the mail server takes the service for who it is; nothing is sent. */
export async function mailFinding(smtpUrl: string): Promise<Finding> {
  const { ok, problem } = findingsOf('mail')
  try {
    await verifySmtp(smtpUrl)
    return ok('the mail server answers, and takes what signs in there')
  } catch (error) {
    const { code = '', message, responseCode, response } = error as SmtpError
    if (code === 'EAUTH')
      return problem(
        `the mail server refuses the sign-in (${responseCode ?? code})`,
        'Check the name and the password in SMTP_URL',
      )
    const reason = reasonOf(message, responseCode, response)
    if (/certificate|TLS|SSL/i.test(message) || code === 'ETLS')
      return problem(
        `the TLS of the mail server is not good: ${reason}`,
        'Check the host and the scheme of SMTP_URL, and the certificate of the server',
      )
    return problem(
      `the mail server cannot be reached: ${reason}`,
      'Check the host and the port in SMTP_URL, and that it may be reached from here',
    )
  }
}

/** Nothing of what the server says: that may be anything. */
function reasonOf(message: string, responseCode: number | undefined, response: string | undefined): string {
  if (responseCode !== undefined) return `status ${responseCode}`
  return response === undefined ? scrub(message.split('\n')[0] ?? '') : 'it does not speak SMTP'
}
