/** What forms look like: fields, buttons, the providers below them. */
export const formStyles = `
form {
  margin: 0;
}
form + form,
form + .hint {
  margin-top: 0.75rem;
}
.choice {
  display: flex;
  flex-wrap: wrap;
  gap: 0.75rem;
}
.choice button {
  flex: 1 1 8.5rem;
}
.field {
  margin: 0 0 1.1rem;
}
label {
  display: block;
  margin-bottom: 0.3rem;
  font-weight: 500;
}
.hint,
.status,
dt {
  margin: 0 0 0.35rem;
  color: var(--muted);
  font-size: 0.875rem;
  font-weight: 400;
}
.error {
  margin: 0 0 0.35rem;
  color: var(--bad);
  font-size: 0.9375rem;
}
input:not([type='checkbox']) {
  display: block;
  width: 100%;
  min-height: 2.75rem;
  padding: 0.5rem 0.75rem;
  border: 1px solid var(--edge);
  border-radius: var(--radius);
  background: var(--raised);
  color: inherit;
  font: inherit;
}
input[hidden] {
  display: none;
}
input[aria-invalid] {
  border-color: var(--bad);
}
.check {
  display: flex;
  align-items: center;
  gap: 0.6rem;
  min-height: 1.75rem;
  margin-bottom: 1.1rem;
  font-weight: 400;
}
.check input {
  width: 1.15rem;
  height: 1.15rem;
  margin: 0;
  accent-color: var(--accent);
}
button {
  display: block;
  width: 100%;
  min-height: 2.75rem;
  padding: 0.5rem 1.1rem;
  border: 1px solid transparent;
  border-radius: var(--radius);
  background: var(--accent);
  color: var(--on-accent);
  font: inherit;
  font-weight: 600;
  cursor: pointer;
}
button:hover {
  filter: brightness(1.08);
}
.quiet {
  border-color: var(--edge);
  background: none;
  color: var(--text);
}
.quiet:hover {
  background: var(--surface);
}
.danger {
  background: none;
  border-color: var(--bad);
  color: var(--bad);
}
.small {
  width: auto;
  min-height: 2.25rem;
  padding: 0.25rem 0.9rem;
  font-size: 0.9375rem;
}
.wide button {
  width: auto;
}
.or {
  display: flex;
  align-items: center;
  gap: 0.75rem;
  margin: 1.1rem 0;
  color: var(--muted);
}
.or::before,
.or::after {
  content: '';
  flex: 1;
  border-top: 1px solid var(--line);
}
`
