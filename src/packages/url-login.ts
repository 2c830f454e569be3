// Logins that stand in the URL of a repository: kept out of plans, results and messages, and bound to where they were
// stated.
export interface UrlLogin {
  readonly username: string;
  readonly password: string;
}

/** The URL as it may be shown, and the login that stood in it. */
export function splitLogin(stated: string): { readonly url: string; readonly login?: UrlLogin } {
  const match = /^([a-z][a-z0-9+.-]*:\/\/)([^/@]*)@(.*)$/is.exec(stated);
  if (!match) return { url: stated };
  const [, scheme = '', user = '', rest = ''] = match;
  const colon = user.indexOf(':');
  const [username, password] = colon === -1 ? [user, ''] : [user.slice(0, colon), user.slice(colon + 1)];
  return { url: scheme + rest, login: { username: decoded(username), password: decoded(password) } };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
