import { expect, test } from 'vitest'
import { variables } from '../../src/config.ts'
import { faultsOf, postgres } from '../support/config-faults.ts'

const value = 'tops3cret-canary'

test.each([
  ['BETTER_AUTH_SECRT', 'BETTER_AUTH_SECRET'],
  ['BETTER_AUTH_SERCET', 'BETTER_AUTH_SECRET'],
  ['BETTERAUTH_SECRET', 'BETTER_AUTH_SECRET'],
  ['BETTER_AUTH_URI', 'BETTER_AUTH_URL'],
  ['Better_Auth_Url', 'BETTER_AUTH_URL'],
  ['DATABSE_URL', 'DATABASE_URL'],
  ['DATABASE_URI', 'DATABASE_URL'],
  ['DATABASEURL', 'DATABASE_URL'],
  ['DIRECT_URLS', 'DIRECT_URL'],
  ['DATADIR', 'DATA_DIR'],
  ['TRUSTED_ORIGIN', 'TRUSTED_ORIGINS'],
  ['TRUSTED_PROXYS', undefined],
  ['TRUSTED_PROXY', undefined],
  ['FRONT_END_URL', 'FRONTEND_URL'],
  ['JWT_TLL', 'JWT_TTL'],
  ['JWT_SHARED_KEY', undefined],
  ['JWT_ALGORITM', 'JWT_ALGORITHM'],
  ['GOOGLE_CLIENTID', 'GOOGLE_CLIENT_ID'],
  ['GOOGLE_CLIENT_SECERT', 'GOOGLE_CLIENT_SECRET'],
  ['GITHUB_CLIENT_IDS', 'GITHUB_CLIENT_ID'],
  ['OIDC_ISSUR', 'OIDC_ISSUER'],
  ['SMTP_URI', 'SMTP_URL'],
  ['EMAIL_FROM', 'MAIL_FROM'],
  ['ADMIN_PASWORD', 'ADMIN_PASSWORD'],
  ['SIGNUP', 'SIGN_UP'],
  ['RATELIMIT', 'RATE_LIMIT'],
  ['WEB_CONCURENCY', 'WEB_CONCURRENCY'],
  ['BETTER_AUTH_TRUSTED_PROXIES', undefined],
])('R-41 %s is told, with %s, and no value', (name, meant) => {
  expect(faultsOf({ [name]: value })).toEqual([
    `${name}: is not a setting of this service; ${meant ? `is ${meant} meant?` : 'unset it'}`,
  ])
})

test('R-41 every setting is known by a name that lacks its last letter, but for two short ones', () => {
  const known = variables.filter((name) => faultsOf({ [name.slice(0, -1)]: value }).length === 1)
  expect(variables.filter((name) => !known.includes(name))).toEqual(['PORT', 'HOST'])
})

test('R-41 a misspelt name is told with all other faults', () => {
  const faults = faultsOf({ BETTER_AUTH_SECRT: value, DATABSE_URL: value, PORT: 'x' })
  expect(faults.map((fault) => fault.split(':')[0]).toSorted()).toEqual(['BETTER_AUTH_SECRT', 'DATABSE_URL', 'PORT'])
})

test('R-41 what only resembles a setting is let be where that is set', () => {
  expect(faultsOf({ ...postgres, DATABASE_URI: value, LOGLEVEL: value, LOG_LEVEL: 'info' })).toEqual([])
  expect(faultsOf({ ...postgres, BETTER_AUTH_SECRT: value })).toHaveLength(1)
})

// Of shells, npm, CI, and of what runs containers.
const innocent = {
  HOME: '/root',
  HOSTNAME: 'db-1',
  HOSTTYPE: 'x86_64',
  SSH_AUTH_SOCK: '/tmp/ssh',
  PORTS: '80',
  POST: 'x',
  PATH: '/bin',
  LOGNAME: 'root',
  MAIL: '/var/mail/root',
  MAILTO: 'root',
  npm_config_loglevel: 'silent',
  npm_config_user_agent: 'npm',
  NODE_ENV: 'production',
  XDG_DATA_DIRS: '/usr/share',
  XDG_DATA_HOME: '/root/.local',
  PGDATA: '/var/lib/postgresql',
  POSTGRES_URL: 'postgres://x',
  DATABASE_HOST: 'db',
  REDIRECT_URL: 'https://x',
  REDIS_URL: 'redis://x',
  JWT_SECRET: 'x',
  GITHUB_TOKEN: 'x',
  GITHUB_SHA: 'x',
  GITHUB_ACTIONS: 'true',
  GITHUB_SERVER_URL: 'https://github.com',
  GOOGLE_APPLICATION_CREDENTIALS: '/key.json',
  GOOGLE_CLIENT_EMAIL: 'x@example.com',
  GOOGLE_CLOUD_PROJECT: 'x',
  OIDC_PROVIDER: 'x',
  SMTP_HOST: 'mail',
  SMTP_PORT: '25',
  BETTER_AUTH_TELEMETRY: '0',
  BETTER_AUTH_TELEMETRY_DEBUG: '0',
  FLY_APP_NAME: 'latchkey',
  FLY_PUBLIC_IP: '::1',
  FLY_REGION: 'fra',
  PRIMARY_REGION: 'fra',
  KUBERNETES_SERVICE_HOST: '10.0.0.1',
  KUBERNETES_PORT: 'tcp://10.0.0.1:443',
  MAIL_PORT: 'tcp://10.0.0.2:25',
  BETTER_AUTH_PORT: 'tcp://10.0.0.3:3000',
  BETTER_AUTH_SERVICE_HOST: '10.0.0.3',
  BETTER_AUTH_SERVICE_PORT: '3000',
  BETTER_AUTH_SERVICE_PORT_HTTP: '3000',
  BETTER_AUTH_PORT_3000_TCP: 'tcp://10.0.0.3:3000',
  BETTER_AUTH_PORT_3000_TCP_ADDR: '10.0.0.3',
  BETTER_AUTH_PORT_3000_TCP_PORT: '3000',
  BETTER_AUTH_PORT_3000_TCP_PROTO: 'tcp',
  TRUSTED_PROXY_SERVICE_HOST: '10.0.0.4',
  BETTER_AUTH_NAME: '/web/better-auth',
  BETTER_AUTH_ENV_NODE_VERSION: '24',
  TRUSTED_HOSTS: 'x',
  'BETTER_AUTH_\u001b[2J': 'x',
}

test.each(Object.entries(innocent))('R-41 %s is nothing of ours', (name, given) => {
  expect(faultsOf({ [name]: given })).toEqual([])
})

test('R-41 an empty value is no setting, and no fault', () => {
  expect(faultsOf({ BETTER_AUTH_SECRT: '' })).toEqual([])
})
