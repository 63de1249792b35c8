export class Counter {
  value = 0;

  increase(): void {
    this.value += 1;
  }
}
