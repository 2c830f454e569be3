// What single registries do differently, as data: each field says what to do, `because` says why. A quirk that can be
// recognised by behaviour needs no entry: refused mounts, token servers without POST, relative or downgraded upload
// locations, missing digest headers are handled alike for all.

export interface Quirk {
  readonly name: string;
  /** Hosts: exact, or "*.suffix". */
  readonly hosts: readonly string[];
  /** Token servers on other domains that belong to it. */
  readonly realmHosts?: readonly string[];
  /** What to tell the user when a repository is not there. */
  readonly missingHint?: string;
  /** … when credentials are refused or missing. */
  readonly deniedHint?: string;
  /** … when requests are too many. */
  readonly rateHint?: string;
  /** Text in an error that means: this tag exists and cannot be moved. */
  readonly immutableTag?: RegExp;
  readonly because: string;
}

export const quirks: readonly Quirk[] = [
  {
    name: 'Docker Hub',
    hosts: ['registry-1.docker.io', 'docker.io', 'index.docker.io'],
    realmHosts: ['auth.docker.io'],
    missingHint:
      'official images are in library/; a private repository looks as if it were missing without a login',
    deniedHint: 'the repository does not exist or is private; log in with: onlay login docker.io',
    rateHint: 'Docker Hub limits pulls; log in with: onlay login docker.io, or use a mirror',
    because: 'it answers 401 for repositories that do not exist, and counts pulls per address and account',
  },
  {
    name: 'GitHub',
    hosts: ['ghcr.io'],
    deniedHint: 'use a token with read:packages (pull) or write:packages (push) as password',
    because: 'account passwords are not accepted',
  },
  {
    name: 'Amazon ECR',
    hosts: ['*.amazonaws.com', '*.amazonaws.com.cn', '*.on.aws', 'public.ecr.aws'],
    missingHint:
      'ECR does not create repositories by itself: aws ecr create-repository --repository-name NAME',
    deniedHint:
      'tokens of "aws ecr get-login-password" end after 12 hours; or use docker-credential-ecr-login',
    immutableTag: /ImageTagAlreadyExists/i,
    because: 'a push to a repository that is not there answers 404; immutable tags answer 400 or 409',
  },
  {
    name: 'Azure',
    hosts: ['*.azurecr.io', '*.azurecr.cn', '*.azurecr.us'],
    deniedHint: 'log in with: az acr login --name NAME, or docker-credential-acr-env',
    immutableTag: /locked|write operations/i,
    because: 'locked tags answer 405; repositories without rights answer 401',
  },
  {
    name: 'Google',
    hosts: ['gcr.io', '*.gcr.io', '*.pkg.dev'],
    missingHint:
      'Artifact Registry needs its repository created first: gcloud artifacts repositories create NAME',
    deniedHint: 'use docker-credential-gcloud, or user "oauth2accesstoken" with an access token as password',
    because: 'gcr.io answers 401 without a challenge; the challenge is at /v2/',
  },
  {
    name: 'Quay',
    hosts: ['quay.io'],
    deniedHint: 'robot accounts are named ORGANISATION+ROBOT and need write permission on the repository',
    because: 'repositories without rights answer 401 for reads as for mounts',
  },
  {
    name: 'GitLab',
    hosts: ['registry.gitlab.com'],
    realmHosts: ['gitlab.com'],
    deniedHint:
      'in CI, user $CI_REGISTRY_USER with $CI_REGISTRY_PASSWORD; the path must be GROUP/PROJECT[/NAME[/NAME]]',
    because: 'its token server is GitLab itself',
  },
  {
    name: 'Red Hat',
    hosts: ['registry.redhat.io', 'registry.connect.redhat.com'],
    realmHosts: ['sso.redhat.com'],
    deniedHint: 'log in with a service account of access.redhat.com/terms-based-registry',
    because: 'tokens come from the single sign-on server of another domain',
  },
];

/** How registries that run anywhere say that a tag cannot be moved: Harbor, Artifactory, Nexus, GitLab, Quay. */
export const IMMUTABLE_TAG: RegExp =
  /immutable|cannot be (?:overwritten|updated|modified)|already exists|does not allow updating|overwrite is (?:not allowed|forbidden)|tag.{0,40}(?:locked|protected)/i;

export function quirkOf(hostname: string): Quirk | undefined {
  return quirks.find(({ hosts }) =>
    hosts.some((host) => (host.startsWith('*') ? hostname.endsWith(host.slice(1)) : hostname === host)),
  );
}
