import { type ProblemSlug, problemTypes } from '../http/problem.ts'

/** What a problem type means and what to do: the page behind its URI. */
export function ProblemPage({ slug }: { slug: ProblemSlug }) {
  const { status, title, explanation } = problemTypes[slug]
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>{title}</title>
        <link rel="stylesheet" href="/assets/pages.css" />
      </head>
      <body>
        <main>
          <p class="status">
            {status} <code>{slug}</code>
          </p>
          <h1>{title}</h1>
          <p>{explanation}</p>
          <p>
            <a href="/api/v1/docs">API reference</a>
          </p>
        </main>
      </body>
    </html>
  )
}
