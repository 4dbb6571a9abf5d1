import type { AuthConfig } from './auth/auth-config.ts'
import { settingsFindings } from './doctor/settings.ts'
import { examineService } from './run-doctor.ts'
import type { Services } from './services.ts'

// By then a load balancer has noticed that the service is ready, and leads to it.
const lookAfterMs = 10_000

/**
 * Lets a service look at its set-up once, in a while, and log what is to be mended beside what its settings tell at start.
 * Not on a loopback host, where one develops. Nothing waits for it.
 * @param isReady whether there is still somebody to tell
 * @returns lets it be, if it has not begun
 */
export function lookLater(
  services: Services,
  authConfig: AuthConfig,
  isReady: () => boolean,
  afterMs = lookAfterMs,
): () => Promise<void> {
  const { log, config } = services
  if (config.isLoopback) return async () => {}
  async function look(): Promise<void> {
    const told = new Set(settingsFindings(config).map(({ check }) => check))
    const findings = await examineService(services, authConfig)
    if (!isReady()) return
    for (const { check, what, mend } of findings)
      if (mend !== undefined && !told.has(check)) log.warn({ check }, `${what}. ${mend}`)
  }
  const failed = (err: unknown) => log.error({ err }, 'the set-up could not be looked at')
  const timer = setTimeout(() => void look().catch(failed), afterMs).unref()
  return async () => clearTimeout(timer)
}
