import type { AuthConfig } from './auth/auth-config.ts'
import { settingsFindings } from './doctor/settings.ts'
import type { Running } from './process.ts'
import { examineService } from './run-doctor.ts'

// By then a load balancer has noticed that the service is ready, and leads to it.
const lookAfterMs = 10_000

/**
 * Lets a service look at its set-up once, in a while, and log what is to be mended beside what its settings tell at start.
 * Not on a loopback host, where one develops. Nothing waits for it.
 */
export function lookLater(
  { services, isReady }: Pick<Running, 'services' | 'isReady'>,
  authConfig: AuthConfig,
  afterMs = lookAfterMs,
): void {
  const { log, config } = services
  if (config.isLoopback) return
  async function look(): Promise<void> {
    if (!isReady()) return
    const told = new Set(settingsFindings(config).map(({ check }) => check))
    const findings = await examineService(services, authConfig)
    if (!isReady()) return
    for (const { check, what, mend } of findings)
      if (mend !== undefined && !told.has(check)) log.warn({ check }, `${what}. ${mend}`)
  }
  const failed = (err: unknown) => log.error({ err }, 'the set-up could not be looked at')
  setTimeout(() => void look().catch(failed), afterMs).unref()
}
