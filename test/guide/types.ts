import { basename, join } from 'node:path';
import ts from 'typescript';
import { ROOT } from './samples.ts';

/** What TypeScript says against files, by the repository's own settings: `FILE:LINE: message`. Imports of the package are its sources. */
export function typeErrors(files: readonly string[]): string[] {
  const config = join(ROOT, 'tsconfig.json');
  const { config: json } = ts.readConfigFile(config, (path) => ts.sys.readFile(path)) as { config: object };
  const { options } = ts.parseJsonConfigFileContent(
    { ...json, include: [], files: [] },
    ts.sys,
    ROOT,
    undefined,
    config,
  );
  const program = ts.createProgram([...files, join(ROOT, 'src', 'wgsl.d.ts')], options);
  // The sources are checked by `npm run types`.
  return files.flatMap((path) => {
    const file = program.getSourceFile(path);
    if (file === undefined) return [`${path} is not in the program`];
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
      ({ start = 0, messageText }) =>
        `${basename(path)}:${file.getLineAndCharacterOfPosition(start).line + 1}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
    );
  });
}
