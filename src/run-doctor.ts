import { existsSync } from 'node:fs'
import { askRunning } from './admin/socket.ts'
import type { AuthConfig } from './auth/auth-config.ts'
import { createSecrets } from './auth/secrets.ts'
import type { Config } from './config.ts'
import { openDatabase } from './db/database.ts'
import { createArrivalProofs } from './doctor/arrival.ts'
import { examine } from './doctor/examine.ts'
import { type Finding, findingsOf, isWell, toText } from './doctor/finding.ts'
import { derivedKey } from './secret.ts'
import type { Services } from './services.ts'

/** What a running service finds of itself. */
export function examineService(services: Services, authConfig: AuthConfig): Promise<Finding[]> {
  return examine({ ...services, authConfig, secrets: undefined })
}

/**
 * `admin doctor`: looks at a running set-up, prints what it finds, and changes nothing. With the embedded database the
 * running service looks.
 * @returns the exit code: 1 when there is a problem
 */
export async function runDoctor(args: string[], config: Config, authConfig: AuthConfig): Promise<number> {
  if (args.some((arg) => arg !== '--json')) {
    process.stderr.write('usage: npm run admin -- doctor [--json]\n')
    return 2
  }
  const findings = config.database
    ? await examineDatabaseOf(config, authConfig)
    : await examineEmbedded(config, authConfig)
  process.stdout.write(`${args.length > 0 ? JSON.stringify(findings) : toText(findings)}\n`)
  return isWell(findings) ? 0 : 1
}

async function examineDatabaseOf(config: Config, authConfig: AuthConfig): Promise<Finding[]> {
  const { database } = config
  const secrets = createSecrets(config.secret, config.secrets)
  const { url = '', directUrl } = database ?? {}
  const limits = directUrl === undefined ? 'request' : 'pooled'
  const { db, close } = await openDatabase({ kind: 'postgres', url, directUrl, limits, onError: () => {} })
  try {
    return await examine({
      config,
      authConfig,
      db,
      secrets: secrets.all,
      arrivalProofs: createArrivalProofs(derivedKey(secrets.current, 'arrival')),
    })
  } finally {
    await close()
  }
}

async function examineEmbedded(config: Config, authConfig: AuthConfig): Promise<Finding[]> {
  const answer = await askRunning(config.dataDir, { command: 'doctor' })
  if (answer?.ok) return JSON.parse(answer.output) as Finding[]
  const { problem } = findingsOf('service')
  if (answer) return [problem(`the running service could not look: ${answer.output}`, 'See its log, and start it anew')]
  const rest = await examine({ config, authConfig, db: undefined, secrets: undefined, arrivalProofs: undefined })
  const where = existsSync(config.dataDir) ? 'no service runs on DATA_DIR' : 'there is no folder DATA_DIR'
  return [
    problem(`${where}: its database was not looked at`, 'npm start, or name the folder of the service in DATA_DIR'),
    ...rest,
  ]
}
