// What a page must hold for readers with a keyboard, a screen reader or weak
// eyes: the checks of WCAG 2.2 that a program can make. Gives a list of what is
// wrong. axe-core would do more, and comes by npm only.
(() => {
  const wrong = [];
  const say = (what, e) => wrong.push(what + ': ' + (e ? (e.outerHTML || e.textContent).slice(0, 160) : ''));
  const all = (s) => [...document.querySelectorAll(s)];
  for (const d of all('details')) d.open = true;

  // layout
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) say('the page is wider than the screen: ' + document.documentElement.scrollWidth + ' > ' + width);
  for (const e of all('body *')) {
    const style = getComputedStyle(e);
    if (/auto|scroll/.test(style.overflowX) && e.scrollWidth > e.clientWidth + 1 && e.tabIndex < 0) say('scrolls, and the keyboard does not reach it', e);
  }
  for (const e of all('p,li,td,th,dd,caption,figcaption,h1,h2,h3')) {
    const box = e.getBoundingClientRect();
    if (e.textContent.trim().length > 20 && box.width > 0 && box.height > 200 && box.width < 60) say('a column of letters', e);
  }

  // structure
  if (!document.documentElement.lang) say('no language');
  if (!document.title) say('no title');
  if (all('main').length !== 1 || all('h1').length !== 1) say('not one main, or not one h1');
  let level = 0;
  for (const h of all('h1,h2,h3,h4,h5,h6')) {
    const n = +h.tagName[1];
    if (n > level + 1) say('a heading skips a level', h);
    level = n;
  }
  const ids = all('[id]').map((e) => e.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) say('the id is there twice: ' + id);
  for (const a of all('a[href^="#"]')) if (!document.getElementById(a.getAttribute('href').slice(1))) say('leads nowhere', a);
  for (const a of all('a')) if (!a.textContent.trim()) say('a link without a name', a);
  for (const e of all('nav,[role=region],[role=group],section,article')) {
    const by = e.getAttribute('aria-labelledby');
    if (!(by ? document.getElementById(by)?.textContent : e.getAttribute('aria-label'))) say('a part without a name', e);
  }
  for (const t of all('table')) if (!t.caption || !t.querySelector('th[scope=col]') || !t.querySelector('th[scope=row]')) say('a table without caption or headers', t);
  for (const s of all('svg')) if (s.getAttribute('aria-hidden') !== 'true' && !s.getAttribute('aria-label')) say('a picture without a name', s);
  for (const e of all('script,img,link,iframe,object,[onclick],[onload]')) say('is loaded or run', e);

  // contrast
  const parse = (c) => { const m = c.match(/[\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const luminance = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ratio = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((m, n) => n - m); return (x + 0.05) / (y + 0.05); };
  const behind = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c[3] > 0) return c; } return [255, 255, 255, 1]; };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || e.closest('style,title')) continue;
    texts++;
    const style = getComputedStyle(e), size = parseFloat(style.fontSize);
    const svg = e.closest('svg');
    let fore = parse(style.color), back = svg ? null : behind(e);
    if (svg) {
      fore = parse(style.fill);
      const box = e.parentElement.querySelector('.box');
      back = parse(getComputedStyle(box || svg.querySelector('.band1')).fill);
    }
    const need = size >= 24 || size >= 18.66 && +style.fontWeight >= 600 ? 3 : 4.5;
    if (ratio(fore, back) < need) say('contrast ' + ratio(fore, back).toFixed(2) + ' of ' + style.color, e);
  }
  if (texts < 20) say('hardly any text');
  for (const e of all('svg .stroke')) {
    for (const band of all('svg .band0,svg .band1')) {
      if (ratio(parse(getComputedStyle(e).stroke), parse(getComputedStyle(band).fill)) < 3) { say('a line too pale', e); break; }
    }
  }

  // the map, as the browser really draws it
  const boxes = all('svg .box').map((e) => e.getBoundingClientRect());
  boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
    if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom) say('two boxes overlap');
  }));
  for (const t of all('svg .node text')) {
    const a = t.getBoundingClientRect(), b = t.parentElement.querySelector('.box').getBoundingClientRect();
    if (a.left < b.left || a.right > b.right || a.top < b.top || a.bottom > b.bottom) say('a name does not fit its box', t);
  }
  return [...new Set(wrong)];
})()
