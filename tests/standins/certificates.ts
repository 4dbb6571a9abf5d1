import { execFileSync } from 'node:child_process'
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

/** Makes an authority of its own and a certificate of it, in a folder. Needs openssl. */
export function makeCertificate(folder: string, names: readonly string[]): Certificate {
  const file = (name: string) => join(folder, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' })
  const extensions = `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}\nbasicConstraints=CA:FALSE\n`
  writeFileSync(file('extensions'), extensions)
  const authority = ['-keyout', file('ca.key'), '-out', file('ca.crt'), '-subj', '/CN=Test authority', '-days', '1']
  openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...authority)
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', file('key'), '-out', file('csr'), '-subj', '/CN=standin')
  const signing = ['-CA', file('ca.crt'), '-CAkey', file('ca.key'), '-CAcreateserial', '-extfile', file('extensions')]
  openssl('x509', '-req', '-in', file('csr'), '-out', file('crt'), '-days', '1', ...signing)
  const cert = readFileSync(file('crt'), 'utf8')
  const publicKey = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' })
  return {
    key: readFileSync(file('key'), 'utf8'),
    cert,
    authority: file('ca.crt'),
    spki: createHash('sha256').update(publicKey).digest('base64'),
  }
}
