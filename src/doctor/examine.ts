import type { AuthConfig } from '../auth/auth-config.ts'
import { findKeys, type KeyRow } from '../auth/keys/signing-keys.queries.ts'
import type { Config } from '../config.ts'
import type { Db } from '../db/database.ts'
import { scrub } from '../log.ts'
import { type ArrivalProofs, forwardedFinding } from './arrival.ts'
import { auditFinding } from './audit-log.ts'
import { cookieFinding } from './cookies.ts'
import { adminFinding, databaseFindings, notificationFinding } from './database.ts'
import { type Finding, findingsOf } from './finding.ts'
import { mailFinding } from './mail.ts'
import { providerFindings } from './providers.ts'
import { publicUrlFindings } from './public-url.ts'
import { settingsFindings } from './settings.ts'
import { keyFinding } from './signing-keys.ts'

/** A set-up to look at. */
export interface Patient {
  config: Config
  authConfig: AuthConfig
  /** Undefined where the embedded database is, and no service that holds it. */
  db: Db | undefined
  /** To look whether they fit the keys; undefined where they are known to. */
  secrets: readonly string[] | undefined
  /** Undefined where the secret is not known. */
  arrivalProofs: ArrivalProofs | undefined
}

/** Looks at a running set-up, and changes nothing. Each check takes a few seconds at most. */
export async function examine(patient: Patient): Promise<Finding[]> {
  const { config } = patient
  const [{ findings: ofDatabase, keyIds }, ofProviders, ofMail] = await Promise.all([
    lookAtDatabase(patient),
    examined('providers', () => providerFindings(config)),
    config.smtp ? examined('mail', async () => [await mailFinding(config.smtp?.url ?? '')]) : [],
  ])
  const ofUrl = await lookAtPublicUrl(patient, keyIds)
  return [...settingsFindings(config), ...ofDatabase, ...ofUrl, ...ofProviders, ...ofMail]
}

async function lookAtDatabase({ db, config, authConfig, secrets }: Patient) {
  if (!db) return { findings: [], keyIds: undefined }
  const state = await examined('database', () => databaseFindings(db, config))
  if (state.some(({ check, level }) => level === 'problem' && /^(database|migrations)$/.test(check)))
    return { findings: state, keyIds: undefined }
  let keys: KeyRow[] | undefined
  const rest = await Promise.all([
    examined('signing-key', async () => {
      keys = await findKeys(db)
      return [await keyFinding(keys, config, authConfig, secrets)]
    }),
    examined('audit-log', async () => [await auditFinding(db, config)]),
    examined('admin', async () => [await adminFinding(db, config)]),
    examined('notifications', async () => [await notificationFinding(config)]),
  ])
  return { findings: [...state, ...rest.flat()], keyIds: keys && new Set(keys.map(({ id }) => id)) }
}

async function lookAtPublicUrl({ config, arrivalProofs }: Patient, keyIds: Set<string> | undefined) {
  const { baseUrl } = config
  const { findings, isOurs } = await publicUrlFindings(baseUrl, keyIds)
  if (!isOurs) return findings
  const cookies = await examined('cookies', async () => [await cookieFinding(baseUrl)])
  const arrival = arrivalProofs
    ? await examined('forwarded-headers', async () => [await forwardedFinding(baseUrl, arrivalProofs)])
    : []
  return [...findings, ...cookies, ...arrival]
}

/** What a check finds, or that it could not. */
async function examined(check: string, look: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await look()
  } catch (error) {
    const reason = scrub(error instanceof Error ? error.message : String(error))
    return [findingsOf(check).problem(`it could not be looked at: ${reason}`, 'Mend the other problems first')]
  }
}
