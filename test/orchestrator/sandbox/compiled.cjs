exports.__esModule = true
exports.default = (job) => `CommonJS: ${job.input}`
