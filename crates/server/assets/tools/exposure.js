// Secrets and personal data among claims: a payload is encoded, not encrypted (RFC 7519 §12).

const SECRET_NAMES = [
  'password', 'passwd', 'passphrase', 'passwort', 'secret', 'apikey', 'privatekey', 'accesskey', 'accesstoken', 'refreshtoken', 'creditcard', 'pincode',
];
const PERSONAL_NAMES = new Set([
  'email', 'mail', 'name', 'givenname', 'familyname', 'middlename', 'firstname', 'lastname', 'fullname', 'nickname', 'phone', 'phonenumber', 'mobile',
  'address', 'street', 'streetaddress', 'birthdate', 'birthday', 'dateofbirth', 'dob', 'gender', 'ssn', 'socialsecuritynumber', 'nationalid', 'passport', 'iban',
]);
const SECRET_BEGINNINGS = [
  '-----BEGIN', 'eyJ', 'sk_live_', 'sk_test_', 'ghp_', 'github_pat_', 'glpat-', 'xoxb-', 'xoxp-', 'AKIA', 'carnet_rt.', '$2b$',
];

/** Looks at a claim, and into it. */
function lookForExposure(place, name, value, found) {
  const bare = name.toLowerCase().replace(/[^a-z0-9]/g, '');
  const text = typeof value === 'string' ? value : '';
  const namesSecret = SECRET_NAMES.some((secret) => bare.includes(secret)) && !bare.endsWith('verified') && typeof value !== 'boolean';
  const readable = 'everybody who sees the token can read it';
  if (namesSecret) found.push(finding('error', 'secret_exposed', place, `sounds like a secret: ${readable}`));
  else if (looksSecret(text)) found.push(finding('error', 'secret_exposed', place, 'looks like a key or a token: everybody who sees this token can read it'));
  else if (isCardNumber(text)) found.push(finding('error', 'personal_data', place, `looks like a card number: ${readable}`));
  else if (PERSONAL_NAMES.has(bare) || looksLikeEmail(text)) {
    found.push(finding('warning', 'personal_data', place, `is personal data: ${readable}, logs keep it; leave it out where nobody needs it`));
  }
  if (Array.isArray(value)) for (const item of value.slice(0, 32)) lookForExposure(place, '', item, found);
  else if (isObject(value)) for (const [child, inner] of Object.entries(value)) lookForExposure(child ? `${place}.${child}` : place, child, inner, found);
}

const looksSecret = (text) => text.length >= 20 && SECRET_BEGINNINGS.some((beginning) => text.startsWith(beginning));
const looksLikeEmail = (text) => /^[^@ /:]+@[^@ /:]*\.[^@ /:]*$/.test(text);

/** 13 to 19 digits, perhaps in groups, with the check digit of ISO/IEC 7812. */
function isCardNumber(text) {
  const digits = text.replace(/[ -]/g, '');
  if (!/^[0-9]{13,19}$/.test(digits)) return false;
  const weighted = [...digits].reverse().map((digit, at) => (at % 2 ? digit * 2 - (digit > 4 ? 9 : 0) : Number(digit)));
  return weighted.reduce((sum, weight) => sum + weight, 0) % 10 === 0;
}
