/** The address of a picture that every door takes. */
export const goodPicture = 'https://example.com/a.png'

/** What is none, and none takes. */
export const hostilePictures = [
  'javascript:alert(1)',
  'JavaScript:alert(1)//https://example.com/a.png',
  'http://example.com/a.png',
  'data:image/png;base64,AAAA',
  'data:text/html,<script>alert(1)</script>',
  'vbscript:msgbox(1)',
  '/a.png',
  '//example.com/a.png',
  '',
  'https://',
  'https://example.com/a b.png',
  'https://example.com/\na.png',
  ' https://example.com/a.png',
  `https://example.com/${'a'.repeat(2_048)}`,
  `https://example.com/${'a'.repeat(60_000)}`,
  7,
  'file:///etc/passwd',
  'blob:https://example.com/1',
  'https:example.com/a.png',
  'https:\\\\example.com/a.png',
  'https://example.com/\ud800',
]
