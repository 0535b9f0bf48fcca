// Tabs by the pattern of the ARIA Authoring Practices: arrows move among them, Tab moves into the panel.

/** Makes the tabs of a list work. */
export function openTabs(list: HTMLElement): void {
  const tabs = [...list.querySelectorAll<HTMLButtonElement>('[role=tab]')];
  const choose = (chosen: HTMLButtonElement): void => {
    for (const tab of tabs) {
      const here = tab === chosen;
      tab.setAttribute('aria-selected', String(here));
      tab.tabIndex = here ? 0 : -1;
      const panel = document.getElementById(tab.getAttribute('aria-controls') ?? '');
      if (panel !== null) panel.hidden = !here;
    }
  };
  for (const [i, tab] of tabs.entries()) {
    tab.addEventListener('click', () => choose(tab));
    tab.addEventListener('keydown', ({ key }) => {
      const to =
        key === 'ArrowRight'
          ? i + 1
          : key === 'ArrowLeft'
            ? i - 1 + tabs.length
            : key === 'Home'
              ? 0
              : key === 'End'
                ? tabs.length - 1
                : null;
      const next = to === null ? undefined : tabs[to % tabs.length];
      if (next === undefined) return;
      next.focus();
      choose(next);
    });
  }
}
