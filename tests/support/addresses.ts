import type { RequestOptions, TestService } from './harness.ts'

/** Lets a test choose where it asks from, as behind a proxy. */
export const proxied = { TRUSTED_PROXIES: '127.0.0.1' }

let last = 0

/** An address that no other test of the file has. */
export function newAddress(): string {
  last += 1
  return `198.51.100.${last}`
}

/** Asks from an address, as a page of the service does. */
export function from(of: TestService, address: string, path: string, { headers, ...rest }: RequestOptions = {}) {
  return of.request(path, { ...rest, headers: { origin: of.baseUrl, 'x-forwarded-for': address, ...headers } })
}
