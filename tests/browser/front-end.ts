import { mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll } from 'vitest'
import { createViteServer } from 'vitest/node'
import { freePort } from '../support/throwaway-postgres.ts'

/** A front end of somebody else, on an origin of its own. */
export interface FrontEnd {
  origin: string
  /** Gives it its code. What that exports is `app` on its page. */
  write: (code: string) => void
}

/**
 * Serves a front end from Vite, as those who write one do, until the tests of the file end.
 * @param host what the browser calls it: `localhost` is one site with the service, `127.0.0.1` is another
 */
export async function startFrontEnd(host: 'localhost' | '127.0.0.1' = 'localhost'): Promise<FrontEnd> {
  const root = mkdtempSync(join(tmpdir(), 'latchkey-front-end-'))
  symlinkSync(resolve('node_modules'), join(root, 'node_modules'))
  const start = '<script type="module">import * as app from "/app.js"; globalThis.app = app</script>'
  writeFileSync(
    join(root, 'index.html'),
    `<!doctype html><title>A front end</title><link rel="icon" href="data:">${start}`,
  )
  const port = await freePort()
  const server = await createViteServer({
    root,
    configFile: false,
    cacheDir: join(root, 'cache'),
    logLevel: 'error',
    // The packages are beside the tests, and are served as they are.
    optimizeDeps: { noDiscovery: true },
    server: {
      host: '127.0.0.1',
      port,
      strictPort: true,
      watch: null,
      fs: { allow: [root, realpathSync('node_modules')] },
    },
  })
  await server.listen()
  afterAll(async () => {
    await server.close()
    rmSync(root, { recursive: true, force: true })
  })
  return {
    origin: `http://${host}:${port}`,
    write: (code) => writeFileSync(join(root, 'app.js'), code),
  }
}

/** What code comes to on the page of a front end, or the error that it ends with. */
export async function run(page: Page, code: string): Promise<unknown> {
  await page.waitForFunction('globalThis.app')
  return page.evaluate(`(async () => { ${code} })().catch((error) => String(error))`)
}
