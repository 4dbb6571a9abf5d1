/** The one style sheet of every page. */
export const stylesheet = `
:root {
  color-scheme: light dark;
  --text: light-dark(#1c1c1f, #ededf0);
  --muted: light-dark(#5c5c66, #a5a5b0);
  --surface: light-dark(#ffffff, #131316);
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
  margin: 12vh auto 0;
  padding: 0 1.25rem;
}
h1 {
  margin: 0.25rem 0 1rem;
  font-size: 1.75rem;
  line-height: 1.2;
}
.status {
  margin: 0;
  color: var(--muted);
}
a {
  color: var(--accent);
}
a:focus-visible {
  outline: 2px solid var(--accent);
  outline-offset: 3px;
}
`
