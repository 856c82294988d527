// A visitor of the productpage in Debian's chromium.
//
// usage: NODE_PATH=$(tools/node_env) node productpage.cjs VISIT URL [COUNT]
//        reads         the page shows book and reviews, also on the window of a telephone
//        signs-in      signs in, prints the stars of ten visits, signs out
//        counts        prints the stars of COUNT visits
// Prints {"none"|"black"|"red": visits}. What is not as it should be, and whatever the page itself complains of, is exit code 1.
// CommonJS, because only `require` looks into NODE_PATH.
const assert = require('node:assert/strict');
const path = require('node:path');
const { chromium } = require('playwright-core');

// The colour of the stars that a person sees.
async function stars(page) {
  if (await page.locator('.stars').count() === 0) return 'none';
  const colour = await page.locator('.stars span:not(.off)').first().evaluate((star) => getComputedStyle(star).color);
  const [red, green, blue] = colour.match(/\d+/g).map(Number);
  return red > 2 * Math.max(green, blue, 1) ? 'red' : 'black';
}

async function visits(page, count) {
  const seen = {};
  for (let i = 0; i < count; ++i) {
    await page.reload();
    const colour = await stars(page);
    seen[colour] = (seen[colour] ?? 0) + 1;
  }
  return seen;
}

async function reads(page) {
  assert.equal(await page.title(), 'Bookinfo');
  assert.ok(await page.getByRole('heading', { name: 'The Comedy of Errors' }).isVisible());
  assert.ok(await page.getByText('William Shakespeare').isVisible());
  assert.equal(await page.locator('.review').count(), 2);
  assert.match(await page.locator('#reviews-pod').innerText(), /^answered by reviews-v/);
  await page.setViewportSize({ width: 375, height: 800 });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), 'something runs out of the window');
  return visits(page, 0);
}

async function signsIn(page) {
  await page.getByLabel('User').fill('jason');
  await page.getByLabel('Password').fill('any');
  await page.getByRole('button', { name: 'Sign in' }).click();
  assert.equal(await page.locator('#user').innerText(), 'jason');
  const seen = await visits(page, 10);
  await page.getByRole('link', { name: 'sign out' }).click();
  assert.equal(await page.locator('#user').count(), 0);
  return seen;
}

const VISITS = { 'reads': reads, 'signs-in': signsIn, 'counts': visits };

async function main(visit, url, count) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
  try {
    const context = await browser.newContext({ baseURL: url });
    const page = await context.newPage();
    const complaints = [];
    page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('requestfailed', (request) => complaints.push(`${request.url()}: ${request.failure()?.errorText}`));
    await page.goto('/productpage');
    const seen = await VISITS[visit](page, Number(count));
    if (process.env.PLAIT_SCREENSHOTS) {
      await page.screenshot({ path: path.join(process.env.PLAIT_SCREENSHOTS, `productpage-${visit}.png`), fullPage: true });
    }
    assert.deepEqual(complaints, []);
    console.log(JSON.stringify(seen));
  } finally {
    await browser.close();
  }
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
