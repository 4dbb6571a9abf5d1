/** The one style sheet of every page. */
export const stylesheet = `
:root {
  color-scheme: light dark;
  --text: light-dark(#1c1c1f, #ededf0);
  --muted: light-dark(#5c5c66, #a5a5b0);
  --surface: light-dark(#ffffff, #131316);
  --raised: light-dark(#f0f1f5, #232329);
  --accent: light-dark(#2b53c4, #8fb0ff);
}
body {
  margin: 0;
  background: var(--surface);
  color: var(--text);
  font: 1rem / 1.6 system-ui, sans-serif;
}
main {
  max-width: 36rem;
  margin: 16vh auto 4rem;
  padding: 0 1.25rem;
  overflow-wrap: break-word;
  text-wrap: pretty;
}
h1 {
  margin: 0.5rem 0 1rem;
  font-size: clamp(1.75rem, 6vw, 2.25rem);
  line-height: 1.2;
  text-wrap: balance;
}
.status {
  margin: 0;
  color: var(--muted);
}
code {
  padding: 0.15em 0.4em;
  border-radius: 0.3em;
  background: var(--raised);
  font-size: 0.9em;
}
a {
  color: var(--accent);
}
a:focus-visible {
  outline: 2px solid var(--accent);
  outline-offset: 3px;
}
`
