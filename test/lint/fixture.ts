// The file that rule tests pretend to lint; it only gives them the project's type information.
export {};
