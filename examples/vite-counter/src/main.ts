import { Counter } from '@/counter';

const button = document.querySelector<HTMLButtonElement>('#count')!;
const counter = new Counter();
const show = () => (button.textContent = `count is ${counter.value}`);
button.addEventListener('click', () => (counter.increase(), show()));
show();
