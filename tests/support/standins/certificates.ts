import { execFileSync, spawnSync } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
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
  /** Makes a certificate for some names; with a negative number of days it has expired. */
  issue: (names: readonly string[], days?: number) => Certificate
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
    issue(names, days = 1) {
      const extensions = `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}\nbasicConstraints=CA:FALSE\n`
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
      const signing = ['-CA', path, '-CAkey', file('ca.key'), '-CAcreateserial', '-extfile', file('extensions')]
      openssl('x509', '-req', '-in', file('csr'), '-out', file('crt'), '-days', String(days), ...signing)
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

/** Makes an authority of its own and a certificate of it, in a folder. Needs openssl. */
export function makeCertificate(folder: string, names: readonly string[]): Certificate {
  return makeAuthority(folder).issue(names)
}

/** Whether certificates can be made here. */
export function hasOpenssl(): boolean {
  return spawnSync('openssl', ['version']).status === 0
}
