// Files dropped anywhere on the page.

/** Calls `onFiles` with what is dropped, and marks the page while something is dragged over it. */
export function dropped(onFiles: (files: readonly File[]) => void): void {
  const mark = (on: boolean): void => void document.body.toggleAttribute('data-dropping', on);
  document.addEventListener('dragover', (event) => {
    event.preventDefault();
    mark(true);
  });
  document.addEventListener('dragleave', ({ relatedTarget }) => {
    if (relatedTarget === null) mark(false);
  });
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    mark(false);
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length > 0) onFiles(files);
  });
}
