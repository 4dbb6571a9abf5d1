import type { TestService } from './harness.ts'

interface Mail {
  to: string
  subject: string
  text: string
}

/** What a service mailed to an address, first first. */
export function mailsTo(service: TestService, email: string): Mail[] {
  return service
    .logLines()
    .flatMap((line) => (JSON.parse(line) as { mail?: Mail }).mail ?? [])
    .filter((mail) => mail.to === email)
}

/** The token in the last mail with one that a service logged for an address; empty when there is none. */
export function mailedToken(service: TestService, email: string): string {
  const tokens = mailsTo(service, email).flatMap(({ text }) => /[?&](?:token|change)=([\w.-]+)/.exec(text)?.[1] ?? [])
  return tokens.at(-1) ?? ''
}
