// A plugin of typedoc: the site's menu on every page of the reference.

import { JSX, type Application } from 'typedoc';
import { menu } from '../site.ts';

export function load(app: Application): void {
  app.renderer.hooks.on('body.begin', ({ page }) =>
    JSX.createElement(JSX.Raw, { html: menu(`reference/${page.url}`) }),
  );
}
