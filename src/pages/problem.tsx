import type { Context } from 'hono'
import type { Brand } from '../auth/auth-config.ts'
import { type ProblemError, type ProblemSlug, problemTypes } from '../http/problem.ts'
import { Page, view } from './layout.tsx'

interface ProblemProps {
  brand: Brand
  slug: ProblemSlug
  /** What went wrong this time; without it the page is about the type. */
  detail?: string
}

/** What a problem type means and what to do: the page behind its URI. */
export function ProblemPage({ brand, slug, detail }: ProblemProps) {
  const { status, title, explanation } = problemTypes[slug]
  return (
    <Page brand={brand} title={title}>
      <p class="status">
        {status} <code>{slug}</code>
      </p>
      <h1>{title}</h1>
      <p>{detail ?? explanation}</p>
      <nav class="more">
        <a href="/">Start page</a>
        <a href="/api/v1/docs">API reference</a>
      </nav>
    </Page>
  )
}

/** Answers a browser with a page instead of the JSON of a problem. */
export function problemView(brand: Brand) {
  return (c: Context, { slug, message, status, headers }: ProblemError) => {
    for (const [name, value] of Object.entries(headers)) c.header(name, value)
    return view(c, <ProblemPage brand={brand} slug={slug} detail={message} />, { status })
  }
}
