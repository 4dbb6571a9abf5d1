import type { AuthConfig } from '../auth/auth-config.ts'
import { openKey } from '../auth/keys/mint-key.ts'
import type { KeyRow } from '../auth/keys/signing-keys.queries.ts'
import type { Config } from '../config.ts'
import { type Finding, findingsOf } from './finding.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs

/**
 * Whether there is a key to sign with, of the configured algorithm, and the next one is made in time.
 * @param keys all of the database
 * @param secrets what they may be encrypted with; undefined where that is known to fit
 */
export async function keyFinding(
  keys: readonly KeyRow[],
  { jwt }: Config,
  { signingKey }: AuthConfig,
  secrets: readonly string[] | undefined,
): Promise<Finding> {
  const { ok, warning, problem } = findingsOf('signing-key')
  const now = Date.now()
  const start = 'Start the service: it makes a key, and looks after it once a minute'
  const live = keys.filter(({ expires_at }) => endOf(expires_at) > now)
  const current = live.filter(({ active_at }) => active_at.getTime() <= now).at(-1)
  if (!current)
    return problem(keys.length === 0 ? 'there is no signing key' : 'no signing key is of use any more', start)
  if (secrets && !(await fits(secrets, current)))
    return problem('BETTER_AUTH_SECRET is not the one that this database was used with', 'Set that one')
  const { alg, active_at } = current
  if (alg !== jwt.algorithm)
    return warning(
      `tokens are signed with ${alg}, and JWT_ALGORITHM is ${jwt.algorithm}`,
      'Wait a minute, or start the service with that JWT_ALGORITHM',
    )
  const lastEnd = Math.max(...live.filter((key) => key.alg === alg).map(({ expires_at }) => endOf(expires_at)))
  // An hour late is not by chance: it is looked after once a minute.
  if (lastEnd - now < signingKey.publishHoursAhead * hourMs - hourMs)
    return warning('the next signing key should have been made already', start)
  const days = Math.floor((now - active_at.getTime()) / dayMs)
  if (days > signingKey.rotationDays)
    return warning(
      `an ${alg} key has signed for ${days} days, of ${signingKey.rotationDays}`,
      `Give it an end: update jwks set expires_at = now() + interval '2 days' where id = '${current.id}'`,
    )
  return ok(`an ${alg} key has signed for ${days} days, of ${signingKey.rotationDays}`)
}

function endOf(expiresAt: Date | null): number {
  return expiresAt?.getTime() ?? Number.POSITIVE_INFINITY
}

async function fits(secrets: readonly string[], key: KeyRow): Promise<boolean> {
  return openKey(secrets, key).then(
    () => true,
    () => false,
  )
}
