import Koa from 'koa';
import Router from '@koa/router';
import { shown } from '@shop/prices';

const items = [{ id: 1, name: 'Rope', cents: 1250 }];
const router = new Router({ prefix: '/api' });

router.get('/items', (ctx) => {
  ctx.body = items.map((item) => ({ ...item, price: shown(item.cents) }));
});

const app = new Koa();
app.use(router.routes()).use(router.allowedMethods());
app.listen(Number(process.env.PORT ?? 3000), () => console.log('the shop is open'));
