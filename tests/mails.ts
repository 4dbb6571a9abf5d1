import type { TestService } from './harness.ts'

/** The token in the last mail with one that a service logged for an address; empty when there is none. */
export function mailedToken(service: TestService, email: string): string {
  const tokens = service
    .logLines()
    .map((line) => (JSON.parse(line) as { mail?: { to: string; text: string } }).mail)
    .filter((mail) => mail?.to === email)
    .flatMap((mail) => /[?&](?:token|change)=([\w-]+)/.exec(mail?.text ?? '')?.[1] ?? [])
  return tokens.at(-1) ?? ''
}
