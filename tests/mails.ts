import type { TestService } from './harness.ts'

/** The token in the last mail that a service logged for an address; empty when there is none. */
export function mailedToken(service: TestService, email: string): string {
  const mails = service
    .logLines()
    .map((line) => (JSON.parse(line) as { mail?: { to: string; text: string } }).mail)
    .filter((mail) => mail?.to === email)
  return /[?&](?:token|change)=([\w-]+)/.exec(mails.at(-1)?.text ?? '')?.[1] ?? ''
}
