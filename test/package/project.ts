import { execFile, execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '..', '..');
const exec = promisify(execFile);

interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>;
}

export const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;

/** A project outside the repository in which the packed package is installed, and another with the tools to use it. */
export class Project {
  readonly #home = mkdtempSync(join(tmpdir(), 'wavelight-user-'));
  /** Holds the package alone, until `link` adds others. */
  readonly app = join(this.#home, 'app');
  readonly #tools = join(this.#home, 'tools');
  tarball = '';

  get home(): string {
    return this.#home;
  }

  /** The installed package. */
  get installed(): string {
    return join(this.app, 'node_modules', 'wavelight');
  }

  /** Installs the tools of test/package/package.json. Gives the reason if npm's registry cannot be reached; throws what else fails. */
  installTools(): string | null {
    mkdirSync(this.#tools, { recursive: true });
    for (const file of ['package.json', 'package-lock.json'])
      cpSync(join(root, 'test', 'package', file), join(this.#tools, file));
    try {
      execFileSync('npm', ['ci', '--prefer-offline', '--no-audit', '--no-fund'], {
        cwd: this.#tools,
        stdio: 'pipe',
      });
      return null;
    } catch (error) {
      const { stderr } = error as { readonly stderr: Buffer };
      const code = /npm error code (E\w+)/.exec(stderr.toString())?.[1];
      const isNetwork =
        /^(ENOTFOUND|ECONN\w+|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|E5\d\d|ENOTCACHED)$/;
      if (code !== undefined && isNetwork.test(code)) return `npm's registry cannot be reached (${code})`;
      throw error;
    }
  }

  /** Packs the repository and installs the package as `npm install` of its tarball does. Gives npm's report. */
  async installPackage(): Promise<string> {
    const packed = await exec('npm', ['pack', '--json', '--pack-destination', this.#home], { cwd: root });
    // What the build prints comes before.
    const name = /"filename": "(.+\.tgz)"/.exec(packed.stdout)?.[1];
    if (name === undefined) throw new Error(`npm pack names no tarball: ${packed.stdout}`);
    this.tarball = join(this.#home, name);
    mkdirSync(this.app);
    this.write('package.json', JSON.stringify({ private: true, type: 'module' }));
    cpSync(join(root, 'examples'), join(this.app, 'examples'), { recursive: true });
    const options = ['--offline', '--no-audit', '--no-fund'];
    return (await exec('npm', ['install', ...options, this.tarball], { cwd: this.app })).stdout;
  }

  /** Makes packages of the repository (or of the tools) installed in the project too. */
  link(names: readonly string[], from: 'repository' | 'tools' = 'repository'): void {
    for (const name of names) {
      const place = join(this.app, 'node_modules', name);
      if (existsSync(place)) continue;
      mkdirSync(dirname(place), { recursive: true });
      symlinkSync(join(from === 'tools' ? this.#tools : root, 'node_modules', name), place);
    }
  }

  /** A program of the tools. */
  tool(name: string): string {
    return join(this.#tools, 'node_modules', '.bin', name);
  }

  /** A file of a package among the tools. */
  toolFile(...path: string[]): string {
    return join(this.#tools, 'node_modules', ...path);
  }

  write(name: string, text: string | Uint8Array): void {
    writeFileSync(join(this.app, name), text);
  }

  /** Runs a program in the project. Rejects with its output in the message if it fails. */
  async run(command: string, ...args: string[]): Promise<Output> {
    return exec(command, args, { cwd: this.app, env: { ...process.env, NODE_PATH: '' } });
  }

  /** Runs a program that is to fail; gives its output. */
  async fail(command: string, ...args: string[]): Promise<Output> {
    const failed: unknown = await this.run(command, ...args).then(
      ({ stdout }) => new Error(`${command} ${args.join(' ')} did not fail: ${stdout}`),
      (error: unknown) => error,
    );
    if (failed instanceof Error && 'stderr' in failed) return failed as Error & Output;
    throw failed;
  }
}

/** Bytes on disk, in whole blocks as du counts them, and bytes of the contents. */
export function weigh(path: string): { readonly disk: number; readonly content: number } {
  const stat = lstatSync(path);
  const own = { disk: stat.blocks * 512, content: stat.isDirectory() ? 0 : stat.size };
  if (!stat.isDirectory()) return own;
  return readdirSync(path)
    .map((name) => weigh(join(path, name)))
    .reduce((sum, part) => ({ disk: sum.disk + part.disk, content: sum.content + part.content }), own);
}

/** Programs that are Node: the one that runs this, the pinned one and the machine's, by their major versions. */
export function findNodes(): ReadonlyMap<number, string> {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'node'));
  const candidates = [process.execPath, join(root, 'node_modules', 'node', 'bin', 'node'), ...onPath];
  const found = new Map<number, string>();
  for (const path of candidates.filter((path) => existsSync(path))) {
    const version = execFileSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8' });
    const major = Number.parseInt(version);
    if (!found.has(major)) found.set(major, path);
  }
  return found;
}
