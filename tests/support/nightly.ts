/** Whether the long forms of tests run: `NIGHTLY=1`. */
export const isNightly = process.env['NIGHTLY'] === '1'
