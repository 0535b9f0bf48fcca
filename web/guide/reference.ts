// A plugin of typedoc: the site's menu on every page of the reference, and on Tensor's methods what the functions of their names say.

import { Converter, JSX, ReflectionKind, type Application, type DeclarationReflection } from 'typedoc';
import { menu } from '../site.ts';

export function load(app: Application): void {
  app.renderer.hooks.on('body.begin', ({ page }) =>
    JSX.createElement(JSX.Raw, { html: menu(`reference/${page.url}`) }),
  );
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => {
    const ofName = (name: string, kind: ReflectionKind): DeclarationReflection | undefined =>
      project.getReflectionsByKind(kind).find((found) => found.name === name) as
        DeclarationReflection | undefined;
    const tensor = ofName('Tensor', ReflectionKind.Class);
    for (const method of tensor?.children ?? []) {
      const comment = ofName(method.name, ReflectionKind.Function)?.signatures?.[0]?.comment;
      if (!method.hasComment() && comment !== undefined) method.comment = comment.clone();
    }
  });
}
