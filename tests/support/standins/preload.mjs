// Loaded before the service: leads the names of the identity providers to their stand-ins on this machine. The certificate
// is verified as ever, for the name that was asked for.
import { syncBuiltinESMExports } from 'node:module'
import tls from 'node:tls'

const names = new Set((process.env.STANDIN_NAMES ?? '').split(','))
const { connect } = tls

tls.connect = (...args) => {
  const [options] = args
  if (options && typeof options === 'object' && names.has(options.servername ?? options.host)) {
    const servername = options.servername ?? options.host
    args[0] = { ...options, servername, host: '127.0.0.1', port: Number(process.env.STANDIN_PORT) }
  }
  return connect(...args)
}
syncBuiltinESMExports()
