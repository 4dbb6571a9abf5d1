import { createPrivateKey, createPublicKey, type JsonWebKey, sign, verify } from 'node:crypto'
import { Hono } from 'hono'
import { listen, variable } from './serve.ts'

// The bound of what is verified, or signed, for each request: the signature of RS256 alone, on the main thread.
const key = createPublicKey({ key: JSON.parse(variable('PUBLIC_KEY')) as JsonWebKey, format: 'jwk' })
const body = variable('BODY')
const privateKey = process.env['PRIVATE_KEY'] ? createPrivateKey(process.env['PRIVATE_KEY']) : undefined
const headers = { 'content-type': 'application/json' }

const app = new Hono()
app.get('/api/v1/*', (c) => {
  const token = c.req.header('authorization')?.slice('Bearer '.length) ?? ''
  const dot = token.lastIndexOf('.')
  const isGood = verify('sha256', Buffer.from(token.slice(0, dot)), key, Buffer.from(token.slice(dot + 1), 'base64url'))
  return isGood ? c.body(body, 200, headers) : c.body('{}', 401, headers)
})
app.get('/api/auth/token', (c) => {
  if (!privateKey) return c.body('{}', 500, headers)
  const input = `${Date.now()}.${body}`
  return c.json({ token: `${input}.${sign('sha256', Buffer.from(input), privateKey).toString('base64url')}` })
})
listen(app)
