import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { canonicalAddress } from '../http/client-address.ts'
import { isSameText } from '../http/constant-time.ts'
import { type Answer, ask, jsonOf } from './ask.ts'
import { type Finding, findingsOf } from './finding.ts'

/** How a request arrived at the service. Addresses are in one spelling. */
export const Arrival = z.object({
  /** The address that is counted as the client's. */
  address: z.string(),
  /** Where the connection comes from, and whether that is a trusted proxy. */
  peer: z.string(),
  peerPort: z.number(),
  isTrusted: z.boolean(),
  /** The hops of `X-Forwarded-For`, as they are written. */
  hops: z.array(z.string()),
  /** Whether there is a `Forwarded` header, which is not read. */
  hasForwarded: z.boolean(),
})
export type Arrival = z.infer<typeof Arrival>

/** Proves to the service that who asks has its secret, for an hour. */
export interface ArrivalProofs {
  make: () => string
  isGood: (proof: string) => boolean
}

const lifeMs = 3_600_000

/** Proofs `time.signature`, HMAC-SHA256. The clock of who asks may be another. */
export function createArrivalProofs(key: Uint8Array): ArrivalProofs {
  const sign = (time: string) => createHmac('sha256', key).update(time).digest('base64url')
  return {
    make() {
      const time = String(Date.now())
      return `${time}.${sign(time)}`
    },
    isGood(proof) {
      const [time = ''] = proof.split('.')
      return isSameText(proof, `${time}.${sign(time)}`) && Math.abs(Date.now() - Number(time)) < lifeMs
    },
  }
}

// An address that nobody has: RFC 5737 section 3.
const claimed = '192.0.2.123'

/** Whether the service sees the address of its client through what stands before it, and nobody can choose it. */
export async function forwardedFinding(baseUrl: string, proofs: ArrivalProofs): Promise<Finding> {
  const { warning } = findingsOf('forwarded-headers')
  const answer = await ask(`${baseUrl}/health/arrival`, {
    headers: { authorization: `Bearer ${proofs.make()}`, 'x-forwarded-for': claimed },
  })
  const arrival = Arrival.safeParse(jsonOf(answer)).data
  if (!arrival) {
    return warning(
      `how requests arrive is not told (status ${answer.status})`,
      'Run the doctor with the version, the secret and the clock of the service, and let the proxy pass Authorization on',
    )
  }
  return isDirect(answer, arrival) ? direct(arrival) : forwarded(arrival, baseUrl.startsWith('https:'))
}

function isDirect({ from }: Answer, { peer, peerPort }: Arrival): boolean {
  return canonicalAddress(from.address) === peer && from.port === peerPort
}

function direct({ peer, isTrusted }: Arrival): Finding {
  const { ok, warning } = findingsOf('forwarded-headers')
  if (!isTrusted) return ok('requests arrive without a proxy, and count for where they come from')
  return warning(
    `requests arrive without a proxy from ${peer}, which is trusted as one: who is there chooses what counts`,
    'Name proxies only in TRUSTED_PROXIES',
  )
}

function forwarded(arrival: Arrival, isHttps: boolean): Finding {
  const { ok, warning, problem } = findingsOf('forwarded-headers')
  const { address, peer, isTrusted, hops, hasForwarded } = arrival
  const added = hops[0] === claimed ? hops.slice(1) : hops
  const shared = 'all people share the limits of one address'
  if (!isTrusted && added.length > 0)
    return problem(`the proxy at ${peer} is not trusted: ${shared}`, `Set TRUSTED_PROXIES=${peer}, or its range`)
  if (!isTrusted) {
    const what = `requests come from ${peer}, without X-Forwarded-For: ${shared}`
    const mend = `Let what is there add X-Forwarded-For, and set TRUSTED_PROXIES=${peer}`
    return isHttps ? problem(what, mend) : warning(what, mend)
  }
  const append = 'Let it append the address of its client to X-Forwarded-For'
  if (added.length === 0 && hops.length > 0)
    return problem(`the proxy at ${peer} passes X-Forwarded-For on as it comes: anybody chooses what counts`, append)
  if (added.length === 0)
    return problem(
      `the proxy at ${peer} sends ${hasForwarded ? 'Forwarded only' : 'no X-Forwarded-For'}: ${shared}`,
      append,
    )
  if (address === claimed || address === peer)
    return warning(
      `the address that the proxy at ${peer} tells, of where this runs, is trusted as a proxy, too`,
      'Name proxies only in TRUSTED_PROXIES, or run the doctor elsewhere',
    )
  if (address !== canonicalAddress(added[0] ?? ''))
    return problem(
      `another proxy, at ${address}, is not trusted: its clients share the limits of one address`,
      `Add ${address}, or its range, to TRUSTED_PROXIES`,
    )
  return ok(`the proxy at ${peer} tells the address of its client`)
}
