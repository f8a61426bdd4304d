// Enlarges figures: in the page's own dialog, by buttons, keys, wheel, drag and pinch. Without it figures are merely as
// large as the page.
(() => {
  const figures = [...document.querySelectorAll('figure')];
  if (figures.length === 0 || !('showModal' in HTMLDialogElement.prototype)) return;

  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const button = (text, label, act) => {
    const made = make('button', { type: 'button', textContent: text, onclick: act });
    made.setAttribute('aria-label', label);
    return made;
  };
  const title = make('span', { className: 'title' });
  const stage = make('div', { className: 'stage', tabIndex: 0 });
  const out = button('−', 'Smaller', () => zoom(scale / 1.5));
  const fit = button('Fit', 'Fit to the window', () => zoom(1));
  const into = button('+', 'Larger', () => zoom(scale * 1.5));
  const done = button('Close', 'Close', () => dialog.close());
  const dialog = make(
    'dialog',
    { className: 'viewer' },
    make('div', { className: 'bar' }, title, out, fit, into, done),
    stage,
  );
  document.body.append(dialog);

  let home;
  let drawing;
  let scale = 1;

  /** The width at which all of the figure can be seen. */
  const fitted = () => {
    const { width, height } = drawing.viewBox.baseVal;
    return width * Math.min((stage.clientWidth - 32) / width, (stage.clientHeight - 32) / height);
  };
  /** Scales the figure about a point of the stage that stays where it is. */
  const zoom = (wanted, x = stage.clientWidth / 2, y = stage.clientHeight / 2) => {
    const next = Math.min(16, Math.max(1, wanted));
    const before = drawing.getBoundingClientRect();
    const around = stage.getBoundingClientRect();
    const [left, top] = [x + around.left - before.left, y + around.top - before.top];
    const ratio = (fitted() * next) / before.width;
    scale = next;
    drawing.style.width = `${fitted() * next}px`;
    const after = drawing.getBoundingClientRect();
    stage.scrollLeft += after.left + left * ratio - (x + around.left);
    stage.scrollTop += after.top + top * ratio - (y + around.top);
    out.disabled = scale === 1;
  };
  const open = (figure) => {
    home = figure.querySelector('.scroll');
    drawing = home.querySelector('svg');
    title.textContent = figure.querySelector('figcaption b').textContent;
    home.style.minHeight = `${home.offsetHeight}px`;
    stage.append(drawing);
    dialog.showModal();
    stage.focus();
    zoom(1);
  };
  const restore = () => {
    drawing.style.width = '';
    home.append(drawing);
    home.style.minHeight = '';
    home.focus({ preventScroll: true });
  };
  dialog.onclose = restore;
  addEventListener('beforeprint', () => {
    if (!dialog.open) return;
    dialog.close();
    restore(); // now, as the event comes too late
  });
  addEventListener('resize', () => dialog.open && zoom(scale));
  dialog.onkeydown = ({ key, ctrlKey, metaKey }) => {
    if (ctrlKey || metaKey) return;
    if (key === '+' || key === '=') zoom(scale * 1.5);
    if (key === '-') zoom(scale / 1.5);
    if (key === '0') zoom(1);
  };
  stage.ondblclick = ({ clientX, clientY }) => {
    const { left, top } = stage.getBoundingClientRect();
    zoom(scale > 1 ? 1 : 3, clientX - left, clientY - top);
  };
  stage.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault();
      const { left, top } = stage.getBoundingClientRect();
      zoom(scale * 2 ** (-event.deltaY / 300), event.clientX - left, event.clientY - top);
    },
    { passive: false },
  );

  // A mouse drags the figure; one finger scrolls it without our doing, and two pinch it.
  const down = new Map();
  const apart = () => {
    const [a, b] = [...down.values()];
    return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
  };
  stage.onpointerdown = (event) => {
    down.set(event.pointerId, event);
    if (event.pointerType === 'mouse') stage.setPointerCapture(event.pointerId);
  };
  stage.onpointermove = (event) => {
    const last = down.get(event.pointerId);
    if (!last) return;
    const before = down.size === 2 ? apart() : 0;
    down.set(event.pointerId, event);
    if (before > 0) {
      const { left, top } = stage.getBoundingClientRect();
      const [a, b] = [...down.values()];
      zoom((scale * apart()) / before, (a.clientX + b.clientX) / 2 - left, (a.clientY + b.clientY) / 2 - top);
    } else if (event.pointerType === 'mouse') {
      stage.scrollLeft += last.clientX - event.clientX;
      stage.scrollTop += last.clientY - event.clientY;
    }
  };
  stage.onpointerup = stage.onpointercancel = ({ pointerId }) => down.delete(pointerId);

  for (const figure of figures) {
    const enlarge = button(
      'Enlarge',
      `Enlarge ${figure.querySelector('.scroll').getAttribute('aria-label')}`,
      () => open(figure),
    );
    enlarge.className = 'enlarge';
    figure.querySelector('.files').prepend(enlarge);
    figure.querySelector('svg').addEventListener('click', () => dialog.open || open(figure));
  }
  document.documentElement.classList.add('zooms');
})();
