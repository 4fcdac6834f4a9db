import { connect } from '/client.js'

const client = connect('/queues')
const uploads = client.queue('uploads')

const input = document.querySelector('#files')
const drop = document.querySelector('#drop')
const list = document.querySelector('#list')

/** From a picture to a job that is watched: this is all of it. */
async function upload(file, card) {
  const response = await fetch('/uploads', {
    method: 'POST', body: file, headers: { 'content-type': 'application/octet-stream' },
  })
  const { name, error } = await response.json()
  if (!response.ok) throw new Error(error)
  const job = await uploads.add('thumbnails', { upload: name }, { label: file.name.slice(0, 256) })
  watch(job, card)
}

function watch(job, card) {
  card.root.dataset.job = job.id
  card.button.hidden = false
  card.button.onclick = () => {
    card.button.disabled = true
    job.cancel('cancelled on the page').catch((error) => {
      card.button.disabled = false
      card.say('running', error.message)
    })
  }
  job.state$.subscribe((state) => { card.say(state, words[state]) })
  job.progress$.subscribe(({ percent, message }) => { card.move(percent, message) })
  job.record$.subscribe({
    next: (record) => { if (isSettled(record)) finish(record, card) },
    error: (error) => { card.say('failed', error.message) },
  })
}

function finish({ state, result, error, reason }, card) {
  card.button.remove()
  card.bar.hidden = true
  if (state === 'completed') card.show(result.thumbnails)
  else card.say(state, (state === 'failed' ? error?.message : reason) ?? words[state])
  document.querySelector('#news').textContent = `${card.name}: ${words[state]}`
}

const words = {
  queued: 'waiting', running: 'working', cancelling: 'ending', completed: 'done',
  failed: 'failed', cancelled: 'cancelled',
}

function isSettled({ state }) {
  return ['completed', 'failed', 'cancelled'].includes(state)
}

function makeCard(name) {
  const root = document.querySelector('#picture').content.firstElementChild.cloneNode(true)
  const find = (selector) => root.querySelector(selector)
  const [bar, button, image, links] = ['progress', 'button', 'img', '.links'].map(find)
  find('.name').textContent = name
  bar.setAttribute('aria-label', `Progress of ${name}`)
  button.setAttribute('aria-label', `Cancel ${name}`)
  button.hidden = true
  document.querySelector('#empty').hidden = true
  list.prepend(root)
  return {
    root, name, bar, button,
    say(state, text) {
      root.dataset.state = state
      find('.state').textContent = text
    },
    move(percent, message) {
      bar.value = percent ?? 0
      if (root.dataset.state === 'running' && message) find('.state').textContent = message
    },
    show(thumbnails) {
      const smallest = thumbnails.at(-1)
      image.src = `/thumbnails/${smallest.name}`
      image.alt = `Thumbnail of ${name}`
      image.hidden = false
      links.append(...thumbnails.map(linkTo))
      links.hidden = false
    },
  }
}

function linkTo({ name, width, bytes }) {
  const link = document.createElement('a')
  link.href = `/thumbnails/${name}`
  link.textContent = `${width} px, ${Math.ceil(bytes / 1024)} KiB`
  const item = document.createElement('li')
  item.append(link)
  return item
}

function take(files) {
  for (const file of files) {
    const card = makeCard(file.name)
    card.say('uploading', 'uploading')
    upload(file, card).catch((error) => {
      card.bar.hidden = true
      card.say('refused', error.message)
    })
  }
}

/** What was uploaded before, also from another window. */
async function showEarlier() {
  const { jobs } = await uploads.list({ order: 'desc', limit: 20 })
  for (const { id, label } of jobs.reverse()) watch(uploads.job(id), makeCard(label ?? id))
}

input.addEventListener('change', () => {
  take(input.files)
  input.value = ''
})
for (const name of ['dragover', 'dragleave', 'drop']) {
  drop.addEventListener(name, (event) => {
    event.preventDefault()
    drop.classList.toggle('over', name === 'dragover')
    if (name === 'drop') take(event.dataTransfer.files)
  })
}

const connection = document.querySelector('#connection')
client.connection$.subscribe((state) => {
  connection.dataset.state = state
  connection.textContent = { idle: 'ready', open: 'live', lost: 'no connection' }[state]
})

showEarlier().catch((error) => { document.querySelector('#news').textContent = error.message })
