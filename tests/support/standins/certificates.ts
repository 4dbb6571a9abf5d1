import { execFileSync, spawnSync } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'

/** A certificate for some names, and the authority that has signed it. */
export interface Certificate {
  key: string
  cert: string
  /** Where the certificate of the authority is. */
  authority: string
  /** The hash of its public key, as Chromium wants it. */
  spki: string
}

/** An authority of its own. */
export interface Authority {
  /** Where its certificate is. */
  path: string
  /**
   * Makes a certificate for some names or addresses.
   * @param days how long it will be good; it has expired with a negative number
   * @param age since how many days it has been good
   */
  issue: (names: readonly string[], days?: number, age?: number) => Certificate
}

const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' })

/** Makes an authority in a folder. Needs openssl. */
export function makeAuthority(folder: string): Authority {
  const file = (name: string) => join(folder, name)
  const path = file('ca.crt')
  const own = ['-keyout', file('ca.key'), '-out', path, '-subj', '/CN=Test authority', '-days', '1']
  openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...own)
  return {
    path,
    issue(names, days = 1, age = 0) {
      const named = names.map((name) => `${isIP(name) ? 'IP' : 'DNS'}:${name}`).join(',')
      const extensions = `subjectAltName=${named}\nbasicConstraints=CA:FALSE\n`
      writeFileSync(file('extensions'), extensions)
      openssl(
        'req',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-keyout',
        file('key'),
        '-out',
        file('csr'),
        '-subj',
        '/CN=standin',
      )
      const authority = [
        '-cert',
        path,
        '-keyfile',
        file('ca.key'),
        '-rand_serial',
        '-md',
        'sha256',
        '-notext',
        '-batch',
      ]
      const life = ['-startdate', inDays(-age), '-enddate', inDays(days)]
      writeFileSync(file('index'), '')
      writeFileSync(file('ca.conf'), configurationIn(folder))
      const files = [
        '-config',
        file('ca.conf'),
        '-extfile',
        file('extensions'),
        '-in',
        file('csr'),
        '-out',
        file('crt'),
      ]
      openssl('ca', ...authority, ...life, ...files)
      const cert = readFileSync(file('crt'), 'utf8')
      const publicKey = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' })
      return {
        key: readFileSync(file('key'), 'utf8'),
        cert,
        authority: path,
        spki: createHash('sha256').update(publicKey).digest('base64'),
      }
    },
  }
}

/** What `openssl ca`, which alone takes the dates, wants to be told. */
const configurationIn = (folder: string) => `[ca]
default_ca = ca_default
[ca_default]
database = ${join(folder, 'index')}
serial = ${join(folder, 'serial')}
new_certs_dir = ${folder}
unique_subject = no
policy = any
[any]
commonName = supplied
`

/** A time as OpenSSL writes it. */
function inDays(days: number): string {
  return `${new Date(Date.now() + days * 86_400_000).toISOString().replaceAll(/[-:T]|\..*/g, '')}Z`
}

/** Makes an authority of its own and a certificate of it, in a folder. Needs openssl. */
export function makeCertificate(folder: string, names: readonly string[]): Certificate {
  return makeAuthority(folder).issue(names)
}

/** Whether certificates can be made here. */
export function hasOpenssl(): boolean {
  return spawnSync('openssl', ['version']).status === 0
}
