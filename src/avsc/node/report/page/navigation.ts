/** Marks the link of the section that is on screen. */
export function followSections(): void {
  const links = [...document.querySelectorAll<HTMLAnchorElement>('nav a')];
  const sections = links.flatMap(
    (link) => document.getElementById(decodeURIComponent(link.hash.slice(1))) ?? [],
  );
  const mark = (): void => {
    const atEnd = window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - 4;
    const passed = sections.filter((section) => section.getBoundingClientRect().top < window.innerHeight / 3);
    const current = (atEnd ? sections.at(-1) : passed.at(-1)) ?? sections[0];
    for (const link of links) {
      const isCurrent = link.hash === `#${current?.id ?? ''}`;
      if (isCurrent === (link.getAttribute('aria-current') === 'true')) continue;
      link.setAttribute('aria-current', String(isCurrent));
      // The links themselves scroll on a narrow page.
      const bar = link.closest('nav');
      if (isCurrent && bar !== null && bar.scrollWidth > bar.clientWidth)
        bar.scrollLeft = link.offsetLeft - 16;
    }
  };
  let waiting = false;
  addEventListener(
    'scroll',
    () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        mark();
      });
    },
    { passive: true },
  );
  mark();
}
