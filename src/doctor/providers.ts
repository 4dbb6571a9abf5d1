import { limitOutbound } from '../auth/providers/outbound.ts'
import { providersOf } from '../auth/providers/providers.ts'
import type { Config } from '../config.ts'
import { isPrivate } from '../http/loopback.ts'
import { scrub } from '../log.ts'
import { type Finding, findingsOf } from './finding.ts'

/**
 * The callback URL to register at each provider, which only a person can see there: what a provider makes of a wrong one is a
 * page for people. And whether an OpenID provider can be discovered.
 */
export async function providerFindings(config: Config): Promise<Finding[]> {
  const callbacks = providersOf(config).map(({ id, name }) =>
    findingsOf(`callback-${id}`).note(
      `see that at ${name} exactly this is registered: ${config.baseUrl}/api/auth/callback/${id}`,
    ),
  )
  return config.oidc ? [...callbacks, await discovery(config.oidc)] : callbacks
}

const endpoints = ['authorization_endpoint', 'token_endpoint', 'jwks_uri']

/** @see OpenID Connect Discovery 1.0 section 4 */
async function discovery({ issuer, name }: NonNullable<Config['oidc']>): Promise<Finding> {
  const { ok, problem } = findingsOf('discovery-oidc')
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  let metadata: Record<string, unknown>
  try {
    metadata = await limitOutbound(async () => {
      const response = await fetch(url)
      if (!response.ok) throw new Error(`it is answered with ${response.status}`)
      return { ...((await response.json()) as object) }
    })
  } catch (error) {
    const { message } = error as Error
    return problem(
      `${name} cannot be used: ${url} cannot be read (${scrub(message)})`,
      'Check OIDC_ISSUER, and that the provider can be reached from here',
    )
  }
  if (metadata['issuer'] !== issuer)
    return problem(
      `${name} cannot be used: it calls itself otherwise than OIDC_ISSUER`,
      'Write OIDC_ISSUER as the provider itself writes "issuer", to the last slash',
    )
  const bad = endpoints.find((each) => !isUsable(metadata[each]))
  if (bad) return problem(`${name} cannot be used: its ${bad} is not at https`, 'Ask who runs the provider')
  return ok(`${name} says where its endpoints are`)
}

function isUsable(url: unknown): boolean {
  return typeof url === 'string' && URL.canParse(url) && isPrivate(new URL(url))
}
