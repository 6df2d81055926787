// npm run build
import { installDependencies, main } from './project.mjs';

await main(async () => {
  await installDependencies();
  const { buildProducts } = await import('./bundle.mjs');
  await buildProducts();
});
