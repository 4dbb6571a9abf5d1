import type { Brand } from '../auth/auth-config.ts'
import { type ProblemSlug, problemTypes } from '../http/problem.ts'
import { Page } from './layout.tsx'

interface ProblemProps {
  brand: Brand
  slug: ProblemSlug
  /** What went wrong this time; without it the page is about the type. */
  detail?: string
}

/** What a problem type means and what to do: the page behind its URI, and what a browser gets instead of the JSON. */
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
