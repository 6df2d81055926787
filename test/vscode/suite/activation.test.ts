import assert from 'node:assert/strict';
import * as vscode from 'vscode';

describe('the extension in VS Code', () => {
  it('activates', async () => {
    const extension = vscode.extensions.getExtension('irqstep.irqstep');
    assert(extension, 'VS Code has not loaded the extension');
    await extension.activate();
    assert.equal(extension.isActive, true);
  });
});
