import type { Brand } from '../auth/auth-config.ts'

import { formStyles } from './stylesheet-forms.ts'

/** The one style sheet of every page, in the colours of the brand. */
export const stylesheet = ({ color }: Brand) => `
:root {
  color-scheme: light dark;
  --text: light-dark(#1b1c22, #ecedf2);
  --muted: light-dark(#5a5d6b, #a3a6b5);
  --surface: light-dark(#f5f6f9, #131418);
  --raised: light-dark(#ffffff, #1c1e25);
  --line: light-dark(#d9dce5, #353844);
  --edge: light-dark(#868b9c, #757b8e);
  --accent: light-dark(${color.light}, ${color.dark});
  --on-accent: light-dark(#ffffff, #10131c);
  --bad: light-dark(#b3202c, #ff9a9f);
  --bad-surface: light-dark(#fdeeee, #3a1d20);
  --good: light-dark(#1b6b3a, #86d9a3);
  --good-surface: light-dark(#eaf6ee, #16301f);
  --radius: 0.625rem;
}
* {
  box-sizing: border-box;
}
body {
  margin: 0;
  background: var(--surface);
  color: var(--text);
  font: 1rem / 1.55 system-ui, sans-serif;
}
.skip {
  position: absolute;
  left: 1rem;
  top: -4rem;
  padding: 0.5rem 1rem;
  background: var(--raised);
}
.skip:focus {
  top: 1rem;
}
header {
  display: flex;
  align-items: center;
  justify-content: space-between;
  gap: 1rem;
  padding: 1rem clamp(1rem, 4vw, 2rem);
}
.brand {
  display: inline-flex;
  align-items: center;
  gap: 0.6rem;
  color: inherit;
  font-weight: 600;
  text-decoration: none;
}
.brand img {
  border-radius: 0.4rem;
}
main {
  width: min(26rem, 100% - 2rem);
  margin: clamp(0.5rem, 7vh, 4rem) auto 4rem;
  padding: clamp(1.25rem, 5vw, 2.25rem);
  overflow-wrap: break-word;
  text-wrap: pretty;
}
main,
section {
  border: 1px solid var(--line);
  border-radius: calc(2 * var(--radius));
  background: var(--raised);
}
main.wide {
  width: min(42rem, 100% - 2rem);
  padding: 0;
  border: 0;
  background: none;
}
section {
  margin: 1.25rem 0;
  padding: clamp(1.25rem, 4vw, 1.75rem);
}
h1 {
  margin: 0 0 1.25rem;
  font-size: clamp(1.5rem, 5vw, 1.875rem);
  line-height: 1.2;
  text-wrap: balance;
}
h2 {
  margin: 0 0 1rem;
  font-size: 1.125rem;
}
a {
  color: var(--accent);
}
:focus-visible {
  outline: 3px solid var(--accent);
  outline-offset: 2px;
}
.notice {
  margin: 0 0 1.25rem;
  padding: 0.75rem 1rem;
  border: 1px solid var(--line);
  border-left: 0.25rem solid var(--accent);
  border-radius: var(--radius);
}
.notice p {
  margin: 0 0 0.75rem;
}
.notice.bad {
  border-color: var(--bad);
  background: var(--bad-surface);
  color: var(--bad);
}
.notice.good {
  border-color: var(--good);
  background: var(--good-surface);
  color: var(--good);
}
.more {
  display: flex;
  flex-wrap: wrap;
  justify-content: space-between;
  gap: 0.5rem 1.25rem;
  margin-top: 1.5rem;
}
.more a {
  padding: 0.2rem 0;
}
dl {
  margin: 0 0 1.1rem;
}
dd {
  margin: 0 0 0.75rem;
}
.tag {
  display: inline-block;
  padding: 0 0.5rem;
  border: 1px solid var(--line);
  border-radius: 1rem;
  color: var(--muted);
  font-size: 0.8125rem;
}
.rows {
  margin: 0 0 1rem;
  padding: 0;
  list-style: none;
}
.rows > li {
  display: flex;
  flex-wrap: wrap;
  align-items: start;
  gap: 0.75rem 1rem;
  padding: 0.75rem 0;
  border-bottom: 1px solid var(--line);
}
.rows:last-child,
.rows:last-child > li:last-child {
  margin-bottom: 0;
  padding-bottom: 0;
  border-bottom: 0;
}
.rows > li > div {
  flex: 1 1 10rem;
  min-width: 0;
}
.rows .hint {
  margin: 0.3rem 0 0;
}
.permissions {
  margin: 0 0 1.25rem;
  padding-left: 1.25rem;
  list-style: disc;
}
.permissions li + li {
  margin-top: 0.3rem;
}
time {
  white-space: nowrap;
}
summary {
  margin-bottom: 1rem;
  padding: 0.25rem 0;
  color: var(--bad);
  cursor: pointer;
}
code {
  padding: 0.15em 0.4em;
  border-radius: 0.3em;
  background: var(--surface);
  font-size: 0.9em;
}
${formStyles}`
