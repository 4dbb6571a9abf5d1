import { scrypt } from 'node:crypto'
import { Hono } from 'hono'
import { listen, variable } from './serve.ts'

// What the machine can hash: the scrypt of Better-Auth and nothing else, on THREADS threads (UV_THREADPOOL_SIZE).
const threads = Number(variable('THREADS'))
const parameters = { N: 16_384, r: 16, p: 1, maxmem: 128 * 16_384 * 16 * 2 }
let done = 0
let isBusy = false

function hash(): void {
  scrypt('correct horse battery', 'salt', 64, parameters, (error) => {
    if (error) throw error
    done++
    if (isBusy) hash()
  })
}

const app = new Hono()
app.post('/hash/:seconds', async (c) => {
  const startedAt = performance.now()
  done = 0
  isBusy = true
  for (let i = 0; i < threads; i++) hash()
  await new Promise((resolve) => {
    setTimeout(resolve, Number(c.req.param('seconds')) * 1_000)
  })
  isBusy = false
  return c.json({ perSecond: (done * 1_000) / (performance.now() - startedAt) })
})
listen(app)
